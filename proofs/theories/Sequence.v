(** * S10: autoregressive policies, chain rule, and the filtered policy.

    A policy maps a prefix to a next-token law on the vocabulary [V].
    Trajectories of [n] further tokens are enumerated by [completions n]. *)
From Coq Require Import Reals List Lra Lia.
From HDPO Require Import FinSum Gibbs Softmax Proxy.
Import ListNotations.
Open Scope R_scope.

Lemma sum_map {A B} (g : A -> B) (l : list A) (f : B -> R) :
  sum (map g l) f = sum l (fun a => f (g a)).
Proof. induction l as [|a l IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

Lemma sum_flat_map {A B} (g : A -> list B) (l : list A) (f : B -> R) :
  sum (flat_map g l) f = sum l (fun a => sum (g a) f).
Proof. induction l as [|a l IH]; simpl; [reflexivity|]. now rewrite sum_app, IH. Qed.

Section Sequence.
  Context {T : Type}.
  Variable V : list T.
  Implicit Types (P Q : list T -> T -> R) (pre ts : list T).

  Definition policy P : Prop := forall pre, dist V (P pre).
  Definition policy_ac P Q : Prop := forall pre, abs_cont V (P pre) (Q pre).

  Fixpoint completions (n : nat) : list (list T) :=
    match n with
    | O => [[]]
    | S n' => flat_map (fun t => map (cons t) (completions n')) V
    end.

  Fixpoint joint P pre ts : R :=
    match ts with
    | [] => 1
    | t :: ts' => P pre t * joint P (pre ++ [t]) ts'
    end.

  Lemma sum_completions_S n (f : list T -> R) :
    sum (completions (S n)) f = sum V (fun t => sum (completions n) (fun ts => f (t :: ts))).
  Proof.
    simpl. rewrite sum_flat_map. apply sum_ext; intros t _. apply sum_map.
  Qed.

  Lemma in_completions_S n ts : In ts (completions (S n)) -> exists t ts', ts = t :: ts' /\ In t V /\ In ts' (completions n).
  Proof.
    simpl. rewrite in_flat_map. intros (t & Ht & Hm). apply in_map_iff in Hm.
    destruct Hm as (ts' & <- & Hin). eauto.
  Qed.

  Lemma joint_nonneg P n : policy P -> forall pre ts, In ts (completions n) -> 0 <= joint P pre ts.
  Proof.
    intros HP. induction n as [|n IH]; intros pre ts Hts.
    - destruct Hts as [<-|[]]. simpl. lra.
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts'). simpl.
      apply Rmult_le_pos; [now apply HP|now apply IH].
  Qed.

  Lemma joint_sum P n : policy P -> forall pre, sum (completions n) (joint P pre) = 1.
  Proof.
    intros HP. induction n as [|n IH]; intros pre.
    - simpl. lra.
    - rewrite sum_completions_S. simpl. rewrite (sum_ext V _ (P pre)).
      + apply HP.
      + intros t _. rewrite sum_scal, IH. ring.
  Qed.

  Lemma joint_dist P n pre : policy P -> dist (completions n) (joint P pre).
  Proof. intros HP. split; [intros; now apply (joint_nonneg P n)|now apply joint_sum]. Qed.

  Lemma joint_ac P Q n : policy_ac P Q -> forall pre, abs_cont (completions n) (joint P pre) (joint Q pre).
  Proof.
    intros Hac. induction n as [|n IH]; intros pre ts Hts.
    - destruct Hts as [<-|[]]. simpl. lra.
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts'). simpl. intros E.
      apply Rmult_integral in E. destruct E as [E|E].
      + rewrite (Hac pre t Ht E). ring.
      + rewrite (IH _ ts' Hts' E). ring.
  Qed.

  (** Token-level expected KL along P: the quantity the loss averages. *)
  Fixpoint token_kl P Q (n : nat) pre : R :=
    match n with
    | O => 0
    | S n' => KL V (P pre) (Q pre) + sum V (fun t => P pre t * token_kl P Q n' (pre ++ [t]))
    end.

  Lemma kl_term_mult a b c d :
    0 <= a -> 0 <= b -> 0 <= c -> 0 <= d -> (c = 0 -> a = 0) -> (d = 0 -> b = 0) ->
    kl_term (a * b) (c * d) = b * kl_term a c + a * kl_term b d.
  Proof.
    intros Ha Hb Hc Hd Hac Hbd.
    destruct (Req_dec a 0) as [->|Na]; [rewrite Rmult_0_l, !kl_term_0; ring|].
    destruct (Req_dec b 0) as [->|Nb]; [rewrite Rmult_0_r, !kl_term_0; ring|].
    assert (0 < c) by (destruct (Req_dec c 0); [tauto|lra]).
    assert (0 < d) by (destruct (Req_dec d 0); [tauto|lra]).
    unfold kl_term. replace (a * b / (c * d)) with ((a / c) * (b / d)) by (field; lra).
    rewrite ln_mult by (apply Rdiv_lt_0_compat; lra). ring.
  Qed.

  (** Chain rule. *)
  Theorem S10_chain_rule P Q n :
    policy P -> policy Q -> policy_ac P Q ->
    forall pre, KL (completions n) (joint P pre) (joint Q pre) = token_kl P Q n pre.
  Proof.
    intros HP HQ Hac. induction n as [|n IH]; intros pre.
    - unfold KL. simpl. unfold kl_term. replace (1 / 1) with 1 by field. rewrite ln_1. ring.
    - unfold KL. rewrite sum_completions_S. simpl token_kl. unfold KL at 1. rewrite <- sum_plus.
      apply sum_ext; intros t Ht.
      rewrite (sum_ext (completions n) _ (fun ts => joint P (pre ++ [t]) ts * kl_term (P pre t) (Q pre t)
          + P pre t * kl_term (joint P (pre ++ [t]) ts) (joint Q (pre ++ [t]) ts))).
      + rewrite sum_plus, sum_scal_r, sum_scal, joint_sum by assumption.
        fold (KL (completions n) (joint P (pre ++ [t])) (joint Q (pre ++ [t]))). rewrite IH. ring.
      + intros ts Hts. simpl. apply kl_term_mult.
        * now apply HP.
        * now apply (joint_nonneg P n).
        * now apply HQ.
        * now apply (joint_nonneg Q n).
        * now apply Hac.
        * now apply (joint_ac P Q n).
  Qed.

  (** A per-token bound B gives n B for the trajectory. *)
  Theorem S10_sequence_bound P Q n B :
    policy P -> (forall pre, KL V (P pre) (Q pre) <= B) ->
    forall pre, token_kl P Q n pre <= INR n * B.
  Proof.
    intros HP HB. induction n as [|n IH]; intros pre; [simpl; lra|].
    rewrite S_INR. simpl token_kl.
    assert (sum V (fun t => P pre t * token_kl P Q n (pre ++ [t])) <= sum V (fun t => P pre t * (INR n * B))).
    { apply sum_le; intros t Ht. apply Rmult_le_compat_l; [now apply HP|apply IH]. }
    rewrite sum_scal_r in H. destruct (HP pre) as [_ S]. rewrite S in H. specialize (HB pre). lra.
  Qed.

  (** Proposition 1 for whole trajectories: logits within D at every prefix. *)
  Theorem S10_prop1_sequence (zT zS : list T -> T -> R) D n pre :
    V <> [] ->
    (forall pre t, In t V -> Rabs (zT pre t - zS pre t) <= D) ->
    KL (completions n) (joint (fun pre => softmax V (zT pre)) pre) (joint (fun pre => softmax V (zS pre)) pre)
      <= INR n * (D ^ 2 / 2).
  Proof.
    intros HV HD.
    rewrite S10_chain_rule.
    - apply S10_sequence_bound.
      + intros q. now apply softmax_dist.
      + intros q. apply S4_two; auto.
    - intros q. now apply softmax_dist.
    - intros q. now apply softmax_dist.
    - intros q t _ E. pose proof (softmax_pos V HV (zS q) t). lra.
  Qed.

  (** The tension on cliffs: lifting the success probability from p0 to pg with
      n tokens needs n D^2 / 2 >= kl2(pg, p0). *)
  Theorem S10_cliff_tension (zT zS : list T -> T -> R) D n pre (acc : list T -> bool) :
    V <> [] ->
    (forall pre t, In t V -> Rabs (zT pre t - zS pre t) <= D) ->
    kl2 (success (completions n) (joint (fun pre => softmax V (zT pre)) pre) acc)
        (success (completions n) (joint (fun pre => softmax V (zS pre)) pre) acc)
      <= INR n * (D ^ 2 / 2).
  Proof.
    intros HV HD. eapply Rle_trans; [|now apply (S10_prop1_sequence zT zS D n pre)].
    apply S9_data_processing.
    - apply joint_dist. intros q. now apply softmax_dist.
    - apply joint_dist. intros q. now apply softmax_dist.
    - apply joint_ac. intros q t _ E. pose proof (softmax_pos V HV (zS q) t). lra.
  Qed.

  (** ** Next-token law of the filtered policy mu(.|R=1): Doob's h-transform. *)
  Variable acc : list T -> bool.              (* verifier on full sequences *)

  (** success-to-go *)
  Definition success_to_go P n pre : R := sum (completions n) (fun ts => joint P pre ts * reward acc (pre ++ ts)).

  Definition filtered_token P n pre t : R := P pre t * success_to_go P (n - 1) (pre ++ [t]) / success_to_go P n pre.

  Fixpoint filtered_joint P (n : nat) pre ts : R :=
    match ts with
    | [] => 1
    | t :: ts' => filtered_token P n pre t * filtered_joint P (n - 1) (pre ++ [t]) ts'
    end.

  Lemma success_to_go_term_le P n pre ts : policy P -> In ts (completions n) ->
    joint P pre ts * reward acc (pre ++ ts) <= success_to_go P n pre.
  Proof.
    intros HP Hts. unfold success_to_go.
    apply (sum_ge_term (completions n) (fun ts => joint P pre ts * reward acc (pre ++ ts))); auto.
    intros u Hu. apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra].
  Qed.

  Lemma success_to_go_nonneg P n pre : policy P -> 0 <= success_to_go P n pre.
  Proof.
    intros HP. apply sum_nonneg. intros u Hu.
    apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra].
  Qed.

  Lemma success_to_go_S P n pre : success_to_go P (S n) pre = sum V (fun t => P pre t * success_to_go P n (pre ++ [t])).
  Proof.
    unfold success_to_go. rewrite sum_completions_S. apply sum_ext; intros t _. rewrite <- sum_scal.
    apply sum_ext; intros ts _. simpl. rewrite <- app_assoc. simpl. ring.
  Qed.

  (** The sequence law mu(.|R=1) factorises with next-token law
      P(t|pre) * V(pre t) / V(pre) -- NOT with P(t|pre). *)
  Theorem S10_filtered_next_token P n :
    policy P -> forall pre ts, In ts (completions n) -> 0 < success_to_go P n pre ->
    filtered_joint P n pre ts = joint P pre ts * reward acc (pre ++ ts) / success_to_go P n pre.
  Proof.
    intros HP. induction n as [|n IH]; intros pre ts Hts HV.
    - destruct Hts as [<-|[]]. simpl. unfold success_to_go in HV |- *. simpl in HV |- *.
      rewrite app_nil_r in *. unfold reward in *. destruct (acc pre); [field|lra].
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts').
      change (filtered_joint P (S n) pre (t :: ts')) with
        (filtered_token P (S n) pre t * filtered_joint P (S n - 1) (pre ++ [t]) ts').
      unfold filtered_token. replace (S n - 1)%nat with n by lia.
      pose proof (success_to_go_nonneg P n (pre ++ [t]) HP) as H0.
      pose proof (success_to_go_term_le P n (pre ++ [t]) ts' HP Hts') as H1.
      rewrite <- app_assoc in H1. simpl in H1 |- *.
      destruct (Req_dec (success_to_go P n (pre ++ [t])) 0) as [E|N].
      + rewrite E in *.
        assert (H2 : 0 <= joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts')).
        { apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra]. }
        replace (P pre t * joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts'))
          with (P pre t * (joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts'))) by ring.
        replace (joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts')) with 0 by lra.
        unfold Rdiv. ring.
      + rewrite IH by (auto; lra). rewrite <- app_assoc. simpl. field. lra.
  Qed.

  Corollary S10_filtered_token_dist P n pre :
    0 < success_to_go P (S n) pre -> sum V (filtered_token P (S n) pre) = 1.
  Proof.
    intros HV. unfold filtered_token. rewrite sum_div. replace (S n - 1)%nat with n by lia.
    rewrite <- success_to_go_S. field. lra.
  Qed.
End Sequence.
