(** * S11: the leave-one-out policy-gradient estimator is unbiased. *)
From Coq Require Import Reals List Lra Lia.
From HDPO Require Import FinSum Gibbs Advantage Filter Gradient.
Import ListNotations.
Open Scope R_scope.

Section Unbiased.
  Context {T : Type}.
  Variable l : list T.
  Variable q : T -> R.
  Hypothesis Hq : dist l q.
  Variables (r g : T -> R).    (* reward; one coordinate of the score *)
  Let E := expect l q.

  Definition S_r (ts : list T) : R := sum ts r.
  Definition S_g (ts : list T) : R := sum ts g.
  Definition S_rg (ts : list T) : R := sum ts (fun t => r t * g t).

  Lemma iid_S n (k : list T -> R) :
    iid l q (S n) k = E (fun t => iid l q n (fun ts => k (t :: ts))).
  Proof. reflexivity. Qed.

  Lemma iid_sum n (h : T -> R) : iid l q n (fun ts => sum ts h) = INR n * E h.
  Proof.
    induction n as [|n IH]; [simpl; unfold ret; simpl; ring|].
    rewrite iid_S, S_INR. unfold E, expect. simpl.
    rewrite (sum_ext l _ (fun t => q t * h t + q t * (INR n * E h))).
    - rewrite sum_plus, sum_scal_r. destruct Hq as [_ S]. rewrite S. unfold E, expect. ring.
    - intros t _. rewrite (iid_plus l q n (fun _ => h t) (fun ts => sum ts h)), IH.
      rewrite iid_const by assumption. ring.
  Qed.

  Lemma iid_prod n :
    iid l q n (fun ts => S_r ts * S_g ts)
    = INR n * E (fun t => r t * g t) + INR n * (INR n - 1) * (E r * E g).
  Proof.
    induction n as [|n IH]; [simpl; unfold ret, S_r, S_g; simpl; ring|].
    rewrite iid_S. unfold E at 1, expect.
    rewrite (sum_ext l _ (fun t => (q t * (r t * g t)) + (q t * r t) * (INR n * E g)
               + (q t * g t) * (INR n * E r)
               + q t * (INR n * E (fun t => r t * g t) + INR n * (INR n - 1) * (E r * E g)))).
    - rewrite !sum_plus, !sum_scal_r. destruct Hq as [_ S]. rewrite S, S_INR.
      unfold E, expect. ring.
    - intros t _. rewrite <- IH.
      rewrite (iid_ext l q n _ (fun ts => (r t * g t + r t * S_g ts) + (g t * S_r ts + S_r ts * S_g ts)))
        by (intros; unfold S_r, S_g; simpl; ring).
      rewrite (iid_plus l q n (fun ts => r t * g t + r t * S_g ts)
                              (fun ts => g t * S_r ts + S_r ts * S_g ts)).
      rewrite (iid_plus l q n (fun ts => r t * g t)), (iid_plus l q n (fun ts => g t * S_r ts)).
      rewrite (iid_const l q n (r t * g t) Hq).
      rewrite !iid_scal. unfold S_g at 1, S_r at 1. rewrite !iid_sum. ring.
  Qed.

  (** The coded estimator: (1/G) sum_i loo_i g_i on a drawn group. *)
  Definition leave_one_out_estimator (ts : list T) : R :=
    / INR (length ts) * sum ts (fun t => leave_one_out (map r ts) (r t) * g t).
  Definition centred_estimator (ts : list T) : R :=
    / INR (length ts) * sum ts (fun t => centred (map r ts) (r t) * g t).

  Lemma sum_map' {A B} (h : A -> B) (ts : list A) (f : B -> R) :
    sum (map h ts) f = sum ts (fun a => f (h a)).
  Proof. induction ts as [|a ts IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

  Lemma centred_estimator_eq ts :
    ts <> [] ->
    centred_estimator ts = / INR (length ts) * (S_rg ts - / INR (length ts) * (S_r ts * S_g ts)).
  Proof.
    intros Hne. unfold centred_estimator, centred, mean, total, size.
    rewrite sum_map', map_length. f_equal.
    change (sum ts (fun a => r a)) with (S_r ts).
    rewrite (sum_ext ts _ (fun t => r t * g t - (S_r ts / INR (length ts)) * g t)) by (intros; ring).
    rewrite sum_minus, sum_scal. unfold S_rg, S_g. field.
    apply not_0_INR. destruct ts; [tauto|simpl; lia].
  Qed.

  (** S11: E[(1/G) sum_i (r_i - mean) g_i] = (G-1)/G * Cov(r, g). *)
  Theorem S11_centred_bias n :
    (2 <= n)%nat ->
    iid l q n centred_estimator
    = (INR n - 1) / INR n * (E (fun t => r t * g t) - E r * E g).
  Proof.
    intros Hn. assert (H2 : 2 <= INR n) by (apply (le_INR 2) in Hn; simpl in Hn; lra).
    rewrite (iid_ext_length l q n _
      (fun ts => / INR n * S_rg ts + (- (/ INR n * / INR n)) * (S_r ts * S_g ts))).
    - rewrite (iid_plus l q n (fun ts => / INR n * S_rg ts)), !iid_scal, iid_prod.
      unfold S_rg. rewrite iid_sum. field. lra.
    - intros ts Hts. rewrite centred_estimator_eq; [rewrite Hts; ring|].
      intros ->. simpl in Hts. lia.
  Qed.

  (** S11: the leave-one-out estimator is unbiased for Cov(r, g); for a score
      function E g = 0, so this is the policy gradient E[r g]. *)
  Theorem S11_leave_one_out_unbiased n :
    (2 <= n)%nat -> iid l q n leave_one_out_estimator = E (fun t => r t * g t) - E r * E g.
  Proof.
    intros Hn. assert (H2 : 2 <= INR n) by (apply (le_INR 2) in Hn; simpl in Hn; lra).
    rewrite (iid_ext_length l q n _ (fun ts => (INR n / (INR n - 1)) * centred_estimator ts)).
    - rewrite iid_scal, S11_centred_bias by assumption. field. lra.
    - intros ts Hts. unfold leave_one_out_estimator, centred_estimator. rewrite Hts.
      rewrite (sum_ext ts _ (fun t => (INR n / (INR n - 1)) * (centred (map r ts) (r t) * g t))).
      + rewrite sum_scal. ring.
      + intros t _. rewrite S5_leave_one_out by (rewrite map_length; lia).
        unfold size. rewrite map_length, Hts. ring.
  Qed.
End Unbiased.

(** The expected GRPO gradient on a nearly unsolvable prompt is O(p (1 - p)): it fades with p. *)
Theorem S11_gradient_vanishes {T} (l : list T) (q : T -> R) (R1 : T -> bool) (g : T -> R) a b n :
  dist l q -> (2 <= n)%nat -> (forall t, In t l -> a <= g t <= b) ->
  Rabs (iid l q n (leave_one_out_estimator (reward R1) g))
  <= (b - a) * (success l q R1 * (1 - success l q R1)).
Proof.
  intros Hq Hn Hg. rewrite S11_leave_one_out_unbiased by assumption.
  pose proof (S8_gradient_vanishes l q Hq R1 g a b Hg) as H.
  change (expect l q (fun t => if R1 t then 1 else 0)) with (success l q R1) in H.
  eapply Rle_trans; [|exact H]. right. f_equal.
  fold (success l q R1). unfold expect at 1.
  rewrite (sum_ext l (fun t => q t * g t * ((if R1 t then 1 else 0) - success l q R1))
    (fun t => q t * (reward R1 t * g t) - success l q R1 * (q t * g t))).
  - rewrite sum_minus, sum_scal. reflexivity.
  - intros t _. unfold reward. ring.
Qed.
