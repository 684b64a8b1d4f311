(** * Non-vacuity: every hypothesis set used in this folder is satisfiable.

    Two-point space, mu = (1/4, 3/4), success on the first point. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs Filter PassAtK Advantage JSD Softmax TopK Clip Recursion
  Concentration Posterior.
Import ListNotations.
Open Scope R_scope.

Definition l2 := [true; false].
Definition mu2 (b : bool) : R := if b then 1 / 4 else 3 / 4.
Definition R2 (b : bool) : bool := b.

Example mu2_dist : dist l2 mu2.
Proof. split; [intros [|] _; simpl; lra|simpl; lra]. Qed.
Example p2 : success l2 mu2 R2 = 1 / 4.
Proof. unfold success, expect, reward, R2. simpl. lra. Qed.
(** ... so S2 applies, and says something: the TV distance is not 0. *)
Example S2_not_vacuous : 0 < TV l2 (gibbs_policy l2 mu2 (reward R2) (1 / 2)) (filtered l2 mu2 R2).
Proof.
  rewrite (S2_TV l2 mu2 mu2_dist R2) by (rewrite ?p2; lra). rewrite p2.
  pose proof (exp_pos (1 / (1 / 2))). apply Rdiv_lt_0_compat; lra.
Qed.
(** A group of 16 with one success is in the domain of S5_advantage_binary. *)
Example S5_not_vacuous : binary [1; 0; 0] /\ 0 < total [1; 0; 0] < size [1; 0; 0].
Proof.
  split; [intros x [<-|[<-|[<-|[]]]]; auto|].
  unfold total, size. simpl. lra.
Qed.
(** S7 : n = 4, c = 1, k = 2 gives exactly 1/2. *)
Example S7_value : pass_at_k 4 1 2 = 1 / 2.
Proof.
  unfold pass_at_k. simpl choose. replace (4 - 1 <? 2)%nat with false by reflexivity.
  simpl. lra.
Qed.
(** S13 : keeping one of the two tokens drops three quarters of the mass. *)
Example S13_not_vacuous : tail_mass l2 mu2 R2 = 3 / 4.
Proof. unfold tail_mass. rewrite p2. lra. Qed.
(** S15 : beyond the range the loss stands still at - (1 + clip_high) A. *)
Example S15_value : clip_policy_loss (1 / 5) (1 / 5) 1 2 = - (6 / 5).
Proof. rewrite loss_above_pos; lra. Qed.
(** S17 : one step does raise the success probability. *)
Example S17_not_vacuous : 1 / 4 < success l2 (repeated l2 mu2 (reward R2) 1 1) R2.
Proof.
  rewrite (S17_success l2 mu2 mu2_dist R2 1 1) by lra. rewrite p2. simpl INR.
  replace (1 / 1) with 1 by field. pose proof (exp_ineq1 1 ltac:(lra)) as H.
  apply (Rmult_lt_reg_r (1 - 1 / 4 + 1 / 4 * exp 1)); [lra|].
  replace (1 / 4 * exp 1 / (1 - 1 / 4 + 1 / 4 * exp 1) * (1 - 1 / 4 + 1 / 4 * exp 1))
    with (1 / 4 * exp 1) by (field; lra). lra.
Qed.
(** S18 : the factor is below 1, so the bound falls geometrically in the number of rollouts. *)
Example S18_not_vacuous : hoeffding_factor 0 1 (1 / 2) < 1.
Proof.
  apply Rlt_le_trans with (exp 0); [|rewrite exp_0; lra].
  unfold hoeffding_factor. apply exp_increasing.
  replace (2 * (1 / 2) ^ 2 / (1 - 0) ^ 2) with (1 / 2) by field. lra.
Qed.
(** S19 : with a uniform prior and no data, four rollouts all fail with probability 1/5. *)
Example S19_value : p_all_fail 1 1 4 = 1 / 5.
Proof. simpl. lra. Qed.
