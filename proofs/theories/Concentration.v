(** * S18: how far a pool of survivors can be from the filtered policy (Hoeffding).

    n privileged rollouts are drawn, those with R = 1 are kept.  The chance that the pool is empty or
    that its average of a function with values in [a, b] is off by t or more is at most
    2 (1 - p + p exp(-2 t^2 / (b-a)^2))^n. *)
From Coq Require Import Reals List Lra Lia.
From HDPO Require Import FinSum Gibbs Softmax JSD Filter Estimator.
Import ListNotations.
Open Scope R_scope.

Section Mean.
  Context {T : Type}.
  Variable l : list T.
  Variable q : T -> R.
  Hypothesis Hq : dist l q.

  Lemma iid_le n (k k' : list T -> R) : (forall ts, k ts <= k' ts) -> iid l q n k <= iid l q n k'.
  Proof.
    destruct Hq as [H0 _]. revert k k'. induction n as [|n IH]; intros k k' H.
    - simpl. unfold ret. apply H.
    - rewrite !iid_S. apply sum_le; intros t Ht. apply Rmult_le_compat_l; [auto|].
      apply IH. intros; apply H.
  Qed.

  (** The exponential moment of a sum of independent draws is a power. *)
  Lemma iid_exp n (g : T -> R) :
    iid l q n (fun ts => exp (sum ts g)) = expect l q (fun t => exp (g t)) ^ n.
  Proof.
    induction n as [|n IH]; [simpl; unfold ret; simpl; apply exp_0|].
    rewrite iid_S. simpl pow. rewrite <- IH. unfold expect. rewrite <- sum_scal_r.
    apply sum_ext; intros t _.
    rewrite (iid_ext l q n _ (fun ts => exp (g t) * exp (sum ts g)))
      by (intros; simpl; apply exp_plus).
    rewrite iid_scal. ring.
  Qed.

  Variable f : T -> R.
  Variables a b : R.
  Hypothesis Hab : a < b.
  Hypothesis Hf : forall t, In t l -> a <= f t <= b.
  Let m := expect l q f.

  Definition hoeffding_factor (t : R) : R := exp (- (2 * t ^ 2 / (b - a) ^ 2)).

  (** The sum of the deviations reaches (number of draws) * t; true of the empty list. *)
  Definition deviates_above (c t : R) (ts : list T) : R :=
    if Rle_dec (INR (length ts) * t) (sum ts (fun x => f x - c)) then 1 else 0.
  Definition deviates (c t : R) (ts : list T) : R :=
    if Rle_dec (INR (length ts) * t) (Rabs (sum ts (fun x => f x - c))) then 1 else 0.

  Theorem S18_hoeffding_mean n t :
    0 < t -> iid l q n (deviates_above m t) <= hoeffding_factor t ^ n.
  Proof.
    intros Ht. set (w := (b - a) ^ 2). assert (Hw : 0 < w) by (apply pow_lt; lra).
    set (s := 4 * t / w). assert (Hs : 0 < s) by (apply Rdiv_lt_0_compat; lra).
    set (g := fun x => s * (f x - m - t)).
    apply Rle_trans with (iid l q n (fun ts => exp (sum ts g))).
    - apply iid_le. intros ts. unfold deviates_above.
      assert (E : sum ts g = s * (sum ts (fun x => f x - m) - INR (length ts) * t)).
      { unfold g. rewrite sum_scal, (sum_minus ts (fun x => f x - m)), sum_const. reflexivity. }
      destruct (Rle_dec _ _) as [H|H]; [|left; apply exp_pos].
      rewrite E, <- exp_0. assert (0 <= s * (sum ts (fun x => f x - m) - INR (length ts) * t))
        by (apply Rmult_le_pos; lra).
      destruct H0 as [H0|<-]; [left; now apply exp_increasing|lra].
    - rewrite iid_exp. apply pow_incr. split.
      + apply sum_nonneg; intros x Hx. destruct Hq as [H0 _].
        apply Rmult_le_pos; [auto|left; apply exp_pos].
      + pose proof (dist_nonempty l q Hq) as Hl.
        pose proof (S4_hoeffding l Hl q g (s * (a - m - t)) (s * (b - m - t)) Hq) as H.
        assert (Hg : expect l q g = - (s * t)).
        { unfold expect, g.
          rewrite (sum_ext l _ (fun x => s * (q x * f x) - (s * (m + t)) * q x)) by (intros; ring).
          rewrite sum_minus, !sum_scal. destruct Hq as [_ ->]. fold (expect l q f). fold m. ring. }
        rewrite Hg in H.
        assert (Hpos : 0 < expect l q (fun x => exp (g x))).
        { destruct Hq as [H0 H1]. destruct (mu_pos_exists l q Hq) as (x & Hx & Px).
          apply sum_pos; [intros u Hu; apply Rmult_le_pos; [auto|left; apply exp_pos]|].
          exists x. split; [assumption|apply Rmult_lt_0_compat; [assumption|apply exp_pos]]. }
        rewrite <- (exp_ln (expect l q (fun x => exp (g x)))) by assumption.
        assert (L : ln (expect l q (fun x => exp (g x))) <= - (2 * t ^ 2 / w)).
        { eapply Rle_trans; [apply H|].
          - intros x Hx. specialize (Hf x Hx). unfold g. split; apply Rmult_le_compat_l; lra.
          - replace (s * (b - m - t) - s * (a - m - t)) with (s * (b - a)) by ring.
            replace ((s * (b - a)) ^ 2) with (s ^ 2 * w) by (unfold w; ring).
            unfold s. right. field. lra. }
        unfold hoeffding_factor. fold w.
        destruct L as [L|L]; [left; now apply exp_increasing|rewrite L; lra].
  Qed.
End Mean.

Section Pool.
  Context {T : Type}.
  Variable l : list T.
  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.
  Variable R1 : T -> bool.
  Let p := success l mu R1.
  Hypothesis Hp : 0 < p.
  Let target := filtered l mu R1.

  (** The generating function of the pool's size. *)
  Lemma pool_size n x :
    sum_f_R0 (fun m => binomial_weight p n m * x ^ m) n = (1 - p + p * x) ^ n.
  Proof.
    assert (Hd : dist l target) by now apply filtered_dist.
    transitivity (filtered_batch l mu R1 n (fun ts => x ^ length ts)).
    - rewrite S3_filtered_batch by assumption. fold p. apply sum_eq; intros m _. f_equal.
      rewrite (iid_ext_length l _ m _ (fun _ => x ^ m)) by (intros ts ->; reflexivity).
      symmetry. now apply iid_const.
    - unfold filtered_batch, bind, ret. induction n as [|n IH]; [reflexivity|].
      change (expect l mu (fun t => iid l mu n (fun ts => x ^ length (filter R1 (t :: ts))))
              = (1 - p + p * x) ^ S n).
      transitivity (expect l mu (fun t => if R1 t then x * iid l mu n (fun ts => x ^ length (filter R1 ts))
                                          else iid l mu n (fun ts => x ^ length (filter R1 ts)))).
      { apply sum_ext; intros t _. f_equal. simpl. destruct (R1 t); [|reflexivity].
        rewrite <- iid_scal. apply iid_ext. reflexivity. }
      rewrite (expect_split l mu Hmu R1). fold p. rewrite sum_scal_r.
      change (sum l (fun t => mu t * reward R1 t)) with p. rewrite IH. simpl. ring.
  Qed.

  Lemma pool_le n (k k' : list T -> R) :
    (forall ts, k ts <= k' ts) -> filtered_batch l mu R1 n k <= filtered_batch l mu R1 n k'.
  Proof. intros H. apply (iid_le l mu Hmu). intros; apply H. Qed.

  Lemma pool_plus n (k k' : list T -> R) :
    filtered_batch l mu R1 n (fun ts => k ts + k' ts)
    = filtered_batch l mu R1 n k + filtered_batch l mu R1 n k'.
  Proof. unfold filtered_batch, bind, ret. apply iid_plus. Qed.

  Variable f : T -> R.
  Variables a b : R.
  Hypothesis Hab : a < b.
  Hypothesis Hf : forall t, In t l -> a <= f t <= b.
  Let m := expect l target f.

  Lemma binomial_weight_nonneg n i : 0 <= binomial_weight p n i.
  Proof.
    pose proof (success_bounds l mu Hmu R1) as B. fold p in B. unfold binomial_weight.
    repeat apply Rmult_le_pos; [apply pos_INR|apply pow_le; lra|apply pow_le; lra].
  Qed.

  Theorem S18_filtered_estimate_above n t :
    0 < t ->
    filtered_batch l mu R1 n (deviates_above f m t) <= (1 - p + p * hoeffding_factor a b t) ^ n.
  Proof.
    intros Ht. rewrite S3_filtered_batch by assumption. rewrite <- pool_size. fold p target.
    apply sum_Rle. intros i _. apply Rmult_le_compat_l; [apply binomial_weight_nonneg|].
    apply S18_hoeffding_mean; auto. now apply filtered_dist.
  Qed.
End Pool.

(** Both sides: the pool is empty, or its average is off by t or more. *)
Theorem S18_filtered_estimate {T} (l : list T) (mu : T -> R) (R1 : T -> bool) (f : T -> R) a b n t :
  dist l mu -> 0 < success l mu R1 -> a < b -> (forall x, In x l -> a <= f x <= b) -> 0 < t ->
  filtered_batch l mu R1 n (deviates f (expect l (filtered l mu R1) f) t)
  <= 2 * (1 - success l mu R1 + success l mu R1 * hoeffding_factor a b t) ^ n.
Proof.
  intros Hmu Hp Hab Hf Ht. set (m := expect l (filtered l mu R1) f).
  pose proof (S18_filtered_estimate_above l mu Hmu R1 Hp f a b Hab Hf n t Ht) as A. fold m in A.
  assert (Hf' : forall x, In x l -> - b <= - f x <= - a) by (intros x Hx; specialize (Hf x Hx); lra).
  pose proof (S18_filtered_estimate_above l mu Hmu R1 Hp (fun x => - f x) (- b) (- a)
    ltac:(lra) Hf' n t Ht) as B.
  assert (Em : expect l (filtered l mu R1) (fun x => - f x) = - m).
  { unfold m, expect. rewrite (sum_ext l _ (fun x => -1 * (filtered l mu R1 x * f x))) by (intros; ring).
    rewrite sum_scal. ring. }
  rewrite Em in B.
  assert (Eh : hoeffding_factor (- b) (- a) t = hoeffding_factor a b t).
  { unfold hoeffding_factor. replace (- a - - b) with (b - a) by ring. reflexivity. }
  rewrite Eh in B.
  apply Rle_trans with (filtered_batch l mu R1 n (fun ts =>
    deviates_above f m t ts + deviates_above (fun x => - f x) (- m) t ts)).
  - apply (pool_le l mu Hmu). intros ts. unfold deviates, deviates_above.
    assert (En : sum ts (fun x => - f x - - m) = - sum ts (fun x => f x - m)).
    { rewrite (sum_ext ts _ (fun x => -1 * (f x - m))) by (intros; ring). rewrite sum_scal. ring. }
    rewrite En.
    destruct (Rle_dec (INR (length ts) * t) (Rabs (sum ts (fun x => f x - m)))) as [H|H];
      destruct (Rle_dec (INR (length ts) * t) (sum ts (fun x => f x - m))) as [H1|H1];
      destruct (Rle_dec (INR (length ts) * t) (- sum ts (fun x => f x - m))) as [H2|H2]; try lra.
    exfalso. unfold Rabs in H. destruct (Rcase_abs _); lra.
  - rewrite pool_plus. lra.
Qed.

(** A form to plan with: the failure chance falls as exp(- n p (1 - exp(-2 t^2/(b-a)^2))). *)
Theorem S18_rollouts_needed p x n :
  0 <= p <= 1 -> 0 <= x -> (1 - p + p * x) ^ n <= exp (- (INR n * (p * (1 - x)))).
Proof.
  intros Hp Hx. assert (H0 : 0 <= 1 - p + p * x) by (assert (0 <= p * x) by (apply Rmult_le_pos; lra); lra).
  assert (H1 : 1 - p + p * x <= exp (- (p * (1 - x)))).
  { pose proof (exp_ineq1_le (- (p * (1 - x)))). lra. }
  apply Rle_trans with (exp (- (p * (1 - x))) ^ n); [apply pow_incr; lra|].
  right. clear H1. induction n as [|n IH].
  - simpl. rewrite Rmult_0_l, Ropp_0, exp_0. reflexivity.
  - rewrite S_INR. simpl. rewrite IH, <- exp_plus. f_equal. ring.
Qed.
